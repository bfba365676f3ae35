"""Places that events go to, one a file; each is a `backend.Backend`."""
