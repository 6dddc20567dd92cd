package opencloud

import (
	"net/http"

	"switchboard/comms"
)

type numbersBody struct {
	Numbers []numberRow `json:"numbers"`
}

func (d *door) numbers(r *http.Request, _ *object) (any, error) {
	all, err := d.svc.AllNumbers(r.Context())
	if err != nil {
		return nil, err
	}
	rows := make([]numberRow, len(all))
	for i, n := range all {
		rows[i] = rowOf(n)
	}
	return numbersBody{rows}, nil
}

func (d *door) createNumber(r *http.Request, in *object) (any, error) {
	want := comms.CreateNumber{Alias: in.optional("alias"), PIN: in.text("pin"), CaptchaToken: in.text("captchaToken")}
	if in.err != nil {
		return nil, in.err
	}
	made, err := d.svc.CreateNumber(r.Context(), want)
	if err != nil {
		return nil, err
	}
	return rowOf(made.Number), nil
}

func (d *door) updateNumber(r *http.Request, in *object) (any, error) {
	id, err := pathID(r)
	if err != nil {
		return nil, err
	}
	alias := in.text("alias")
	if in.err != nil {
		return nil, in.err
	}
	n, err := d.svc.UpdateNumber(r.Context(), id, alias)
	if err != nil {
		return nil, err
	}
	return rowOf(n), nil
}

func (d *door) changeNumberPIN(r *http.Request, in *object) (any, error) {
	id, err := pathID(r)
	if err != nil {
		return nil, err
	}
	change := comms.ChangeNumberPIN{ID: id, Current: in.text("currentPin"), New: in.text("newPin")}
	if in.err != nil {
		return nil, in.err
	}
	if err := d.svc.ChangeNumberPIN(r.Context(), change); err != nil {
		return nil, err
	}
	return successBody{true}, nil
}

func (d *door) deleteNumber(r *http.Request, _ *object) (any, error) {
	id, err := pathID(r)
	if err != nil {
		return nil, err
	}
	if _, err := d.svc.DeleteNumber(r.Context(), id); err != nil {
		return nil, err
	}
	return successBody{true}, nil
}
