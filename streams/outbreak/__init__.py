"""Many brands at once: a platform or a courier fails, and one parent incident says so."""
