"""The HTTP API: the steps of a build as a resource. Guide: docs/guide/http-api.md."""
