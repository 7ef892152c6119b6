"""The conformance kit: small programs that any reverse-mode engine must get right."""
