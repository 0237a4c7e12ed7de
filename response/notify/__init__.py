"""Notifications to webhooks and chats."""
