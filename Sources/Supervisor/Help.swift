/// The texts of `tagway help`.
enum Help {
    enum Topic: String, Equatable {
        case general
        case serve
        case check
        case explain
        case control = "ctl"
    }

    static func text(_ topic: Topic) -> String {
        switch topic {
        case .general: general
        case .serve: serve
        case .check: check
        case .explain: explain
        case .control: control
        }
    }

    private static let general = """
        Tagway, a gateway for language models with routing by tags.

        usage: tagway <command> [options]

          serve     serve a configuration: one supervisor, one worker per processor
          check     say everything that is wrong with a configuration
          explain   say where a request would go, and why
          ctl       ask a running supervisor: status, reload, scale, stop and more
          version   print the version
          help      print this, or `tagway help <command>`

        `tagway <command> --help` lists the options of a command.

        """

    private static let serve = """
        usage: tagway serve --config FILE [options]

          -c, --config FILE     the configuration (YAML)
              --host ADDRESS    where to listen: an IPv4 or IPv6 address, `localhost`, or `*` for every address;
                                may be given several times; default 127.0.0.1
          -p, --port PORT       default 4000; 0 lets the kernel choose
              --workers N       worker processes, or `auto` for one per usable processor (also --num_workers);
                                default: what the configuration says, else auto
              --strict-config   take every warning about the configuration for an error
              --env-file FILE   NAME=value lines that os.environ/NAME refers to, before the environment
              --run-dir DIR     for the lock and the control socket; default $RUNTIME_DIRECTORY,
                                else $XDG_RUNTIME_DIR/tagway/PORT, else /tmp/tagway-UID/PORT
              --last-good DIR   keep the configuration in force in DIR, and start from it when the files are bad
              --ready-fd N      write a newline to this open descriptor when all workers serve, and close it

        signals: HUP reloads the configuration, TERM and INT stop when all requests have ended (again: now),
        QUIT stops at once, TTIN and TTOU start and end a worker, USR2 upgrades to the binary that lies there now.

        exit status: 0 stopped, 8 stopped with requests cut, 64 usage, 69 address in use, 70 workers cannot start,
        71 the system refused, 73 already running, 77 permission, 78 configuration.

        """

    private static let check = """
        usage: tagway check FILE [options]

        Prints every problem with file:line:column and a hint.

              --strict-config   take every warning for an error
              --env-file FILE   NAME=value lines that os.environ/NAME refers to, before the environment
              --container       also say how long Kubernetes, compose and systemd have to wait when they stop it

        exit status: 0 the configuration can be served, 78 it cannot, 64 usage.

        """

    private static let explain = """
        usage: tagway explain --config FILE --model NAME [options]
               tagway explain --config FILE --body FILE [options]

        Says which deployments a request may reach, which not and why, who would be asked first, and which groups
        stand in. Routes as a worker does, with every deployment fit and idle; asks nobody.

          -c, --config FILE     the configuration (YAML)
          -m, --model NAME      what the request asks for
          -t, --tags TAGS       its tags, separated by commas
              --header LINE     a header of it, as in 'x-litellm-tags: free'; may be given several times
              --path PATH       where it is sent; default /v1/chat/completions
              --body FILE       its whole body, `-` for standard input, instead of a made one
              --key-file FILE   the key of the caller, `-` for standard input; default: one that may call
              --stream          it asks for a stream
              --json            print the answer as JSON
              --strict-config   take every warning about the configuration for an error
              --env-file FILE   NAME=value lines that os.environ/NAME refers to, before the environment

        exit status: 0 somebody would serve it, 1 it would be refused, 64 usage, 66 a file cannot be read,
        78 configuration.

        """

    private static let control = """
        usage: tagway ctl <action> [options]

          status           state, generation, workers and last deaths of the supervisor
          workers          the workers alone
          reload           read the configuration again
            --dry-run        only say what would change
            --force          though nothing changed, or workers crashed with it
            --respawn        and replace every worker, one after the other
          drain SLOT       replace the worker of a slot, and let it finish
          scale N          have N workers until the next reload that says otherwise
          stop             end when all requests have ended
            --now            end at once
          upgrade [PATH]   replace the running binary by the one at PATH, or where it was started from
          log-level LEVEL  debug, info, warn or error, until the next start
          events           the last events; with --follow also those to come
          version          of the supervisor, which may not be this one's

              --wait       until the reload, stop or upgrade is done; its result is the exit status
              --json       print the answer as JSON
          -p, --port PORT  the supervisor that serves this port, default 4000
              --run-dir D  the supervisor with this run directory

        exit status: 0 done, 1 refused or failed, 64 usage, 69 no supervisor, 75 no answer in time.

        """
}
