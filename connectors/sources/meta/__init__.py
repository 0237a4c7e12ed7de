"""`meta`: webhooks of Facebook pages, Instagram and WhatsApp."""
