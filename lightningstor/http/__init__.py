"""HTTP: our own HTTP/1.1 engine for any ASGI 3 application, TLS, and the same application under hypercorn."""
