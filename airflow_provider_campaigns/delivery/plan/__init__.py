"""Before anything is sent: contacts read from their source, checked, and cut into batches."""
