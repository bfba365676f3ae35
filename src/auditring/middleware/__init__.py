"""Ways into web applications, one a file: each audits the requests of one interface."""
