// Package provision reads the YAML file of `switchboard provision` into comms.Provision and prints what comes of it. The words of the
// file and of the output live here; what may be provisioned, and how, is comms' to say (comms/provision.go).
package provision
