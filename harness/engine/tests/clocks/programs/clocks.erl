%% For every line read: the operating system's time, as the runtime asks for it.
-module(clocks).
-export([main/0]).

main() ->
    case io:get_line("") of
        eof -> halt(0);
        {error, _} -> halt(1);
        _ ->
            Ns = os:system_time(nanosecond),
            {Mega, S, Us} = os:timestamp(),
            Second = Mega * 1000000 + S,
            io:format("erlang=~b.~9..0b timestamp=~b.~6..0b~n",
                [Ns div 1000000000, Ns rem 1000000000, Second, Us]),
            main()
    end.
