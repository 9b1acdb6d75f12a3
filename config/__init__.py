"""Settings, URLs, logging, the embedded servers and the `studio` supervisor."""
