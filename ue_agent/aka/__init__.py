"""Authentication and key agreement as a library: Milenage, AKA, a software ISIM, the SIP digest of RFC 3310.

Pure: octets, sequence numbers and randomness are arguments. TS 33.102, TS 35.206, TS 31.103, RFC 3310.
"""
