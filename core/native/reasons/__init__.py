"""Why each unit of a run was rebuilt, or was not."""
