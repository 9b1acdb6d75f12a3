"""Pictures made by models, and the gallery."""
