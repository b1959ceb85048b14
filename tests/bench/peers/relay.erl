%% The diameter application of Erlang/OTP as a relay, for tests/bench: every request goes to hss1.hss.example.org.
-module(relay).
-export([start/1, peer_up/3, peer_down/3, pick_peer/5, prepare_request/4, prepare_retransmit/4,
         handle_answer/5, handle_error/5, handle_request/3]).

start([Listen, Hss]) ->
    ok = diameter:start(),
    ok = diameter:start_service(relay,
        [{'Origin-Host', "relay.proxy.example.org"}, {'Origin-Realm', "proxy.example.org"},
         {'Host-IP-Address', [{127,0,0,1}]}, {'Vendor-Id', 10415}, {'Product-Name', "relay"},
         {'Auth-Application-Id', [16#FFFFFFFF]}, {string_decode, false}, {restrict_connections, false},
         {application, [{alias, relay}, {dictionary, diameter_gen_relay}, {module, ?MODULE},
                        {call_mutates_state, false}]}]),
    {ok, _} = diameter:add_transport(relay, {listen, [{transport_module, diameter_tcp},
        {transport_config, [{reuseaddr, true}, {ip, {127,0,0,1}}, {port, list_to_integer(Listen)}]}]}),
    {ok, _} = diameter:add_transport(relay, {connect, [{connect_timer, 1000}, {transport_module, diameter_tcp},
        {transport_config, [{raddr, {127,0,0,1}}, {rport, list_to_integer(Hss)}, {reuseaddr, true}]}]}),
    receive stop -> ok end.

peer_up(_Service, _Peer, State) -> State.
peer_down(_Service, _Peer, State) -> State.
pick_peer([Peer | _], _, _Service, _State, _Source) -> {ok, Peer}.
prepare_request(Packet, _Service, _Peer, _Source) -> {send, Packet}.
prepare_retransmit(Packet, _Service, _Peer, _Source) -> {send, Packet}.
handle_answer(Packet, _Request, _Service, _Peer, _Source) -> Packet.
handle_error(Reason, _Request, _Service, _Peer, _Source) -> {error, Reason}.

%% Capabilities are a record whose first field is {our Origin-Host, theirs}; Debian's package has no header file of it.
handle_request(_Packet, _Service, {Ref, _Capabilities}) ->
    IsHss = fun(Capabilities) -> element(2, element(2, Capabilities)) == <<"hss1.hss.example.org">> end,
    {relay, [{timeout, 5000}, {filter, {first, [{eval, IsHss}]}}, {extra, [Ref]}]}.
