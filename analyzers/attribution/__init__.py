"""Attribution: what each decision was worth and what another option would have brought. Arrays in, arrays out; no database."""
