"""The client's side of SMTP: replies, a session that can misbehave, ordinary sessions by aiosmtplib."""
