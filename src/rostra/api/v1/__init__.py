"""The versioned routes, one module for each resource."""
