%% The diameter application of Erlang/OTP as a relay agent between two peers: what comes from one goes to the other.
-module(agent).
-export([start/1, peer_up/3, peer_down/3, pick_peer/5, prepare_request/4, prepare_retransmit/4,
         handle_answer/5, handle_error/5, handle_request/3]).

start([Host, Realm, Listen, Connect]) ->
    ok = diameter:start(),
    ok = diameter:start_service(agent,
        [{'Origin-Host', Host}, {'Origin-Realm', Realm}, {'Host-IP-Address', [{127,0,0,1}]}, {'Vendor-Id', 10415},
         {'Product-Name', "agent"}, {'Auth-Application-Id', [16#FFFFFFFF]}, {string_decode, false},
         {application, [{alias, relay}, {dictionary, diameter_gen_relay}, {module, ?MODULE},
                        {call_mutates_state, false}]}]),
    Common = [{watchdog_timer, 6000}, {transport_module, diameter_tcp}],
    {ok, _} = diameter:add_transport(agent, {listen, Common ++ [{transport_config,
        [{reuseaddr, true}, {ip, {127,0,0,1}}, {port, list_to_integer(Listen)}]}]}),
    {ok, _} = diameter:add_transport(agent, {connect, Common ++ [{connect_timer, 500}, {reconnect_timer, 500},
        {transport_config, [{raddr, {127,0,0,1}}, {rport, list_to_integer(Connect)}, {reuseaddr, true}]}]}),
    receive stop -> ok end.

peer_up(_Service, _Peer, State) -> State.
peer_down(_Service, _Peer, State) -> State.
pick_peer([Peer | _], _, _Service, _State, _Source) -> {ok, Peer};
pick_peer([], _, _Service, _State, _Source) -> false.
prepare_request(Packet, _Service, _Peer, _Source) -> {send, Packet}.
prepare_retransmit(Packet, _Service, _Peer, _Source) -> {send, Packet}.
handle_answer(Packet, _Request, _Service, _Peer, _Source) -> Packet.
handle_error(Reason, _Request, _Service, _Peer, _Source) -> {error, Reason}.

%% Capabilities are a record whose first field is {our Origin-Host, theirs}; Debian's package has no header file of it.
handle_request(_Packet, _Service, {Ref, Capabilities}) ->
    From = element(2, element(2, Capabilities)),
    IsOther = fun(Other) -> element(2, element(2, Other)) =/= From end,
    {relay, [{timeout, 5000}, {filter, {eval, IsOther}}, {extra, [Ref]}]}.
