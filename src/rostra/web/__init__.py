"""The pages people see: sign-in, dashboard, and what stands in for content that cannot be shown right now.

Every page works without script. Nothing is decided here: who may do what is asked of `services.WebServices`.
"""
