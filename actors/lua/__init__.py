"""The Lua that every session is given. Data, no Python."""
