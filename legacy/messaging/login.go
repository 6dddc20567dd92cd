package messaging

import (
	"context"

	"switchboard/comms"
)

// login binds numbers to a device.
func (d *door) login(ctx context.Context, x *exchange) error {
	h := &x.head
	in := comms.RegisterDevice{AppID: h.text(fieldAppID), Build: h.text(fieldBuild), Name: h.text(fieldName), Locale: h.text(fieldLocale),
		Token: h.text(fieldToken), Numbers: credentials(h.texts(fieldUUID, 0))}
	if h.err != nil {
		return h.err
	}
	if err := x.noData(); err != nil {
		return err
	}
	numbers, err := d.svc.RegisterDevice(ctx, in)
	if err != nil {
		return err
	}
	b := append(x.out, success...)
	b = append(b, `,"numbers":[`...)
	for i, n := range numbers {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(b, `{"uuid":"`...), n.ID.String()...), `","number":`...)
		b = append(appendText(b, n.Number), '}')
	}
	x.out = append(b, `]}`...)
	return nil
}
