"""Models, their immutable versions and files, licences, lineage and attributions."""
