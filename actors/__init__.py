"""The domain: sessions, their journals and their workers. Imports `moonward.supervisor`, never the front door."""
