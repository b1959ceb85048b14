"""HSS simulator: the Cx side of a home subscriber server, for labs (TS 29.228, TS 29.229, TS 33.203).

A real SIP database for an IMS core of Kamailio, with modes that behave as other open HSSs do. Not a product HSS: no
provisioning interface, no Sh, no S6a; keys lie in its configuration file.
"""
