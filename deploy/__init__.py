"""How the store is put on machines; `region` is the whole of it on one machine."""
