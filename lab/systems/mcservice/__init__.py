"""MC service server of a lab's MC system: service authorisation by third-party REGISTER (TS 24.379 §7.3).

A SIP application server that the S-CSCF reaches by initial filter criteria; no push-to-talk.
"""
