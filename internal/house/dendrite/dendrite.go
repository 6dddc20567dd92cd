// Package dendrite is not run: it is a module of its own that pins a Matrix homeserver, so that `make tools` can build one to test against and
// the switchboard needs none of what that needs. The homeserver is started by internal/house/homeserver.
package dendrite

import _ "github.com/element-hq/dendrite/setup" // keeps the requirement in go.mod
