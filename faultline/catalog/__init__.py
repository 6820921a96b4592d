"""The service catalog: what runs, who owns it, what depends on what; in Backstage's format."""
