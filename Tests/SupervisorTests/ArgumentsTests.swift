import Testing
import Worker

@testable import tagway

@Suite struct ArgumentsTests {
    private func words(_ line: String) -> [String] { line.split(separator: " ").map(String.init) }

    @Test func serveTakesEveryOption() throws {
        let line =
            "serve --config a.yaml --host 0.0.0.0,:: --host localhost --port 80 --num_workers 3 --strict-config "
            + "--env-file e --run-dir /r --ready-fd 9"
        var options = ServeOptions()
        options.config = "a.yaml"
        options.hosts = ["0.0.0.0", "::", "localhost"]
        options.port = 80
        options.isPortGiven = true
        options.workers = .exactly(3)
        options.isStrict = true
        options.environmentFile = "e"
        options.runDirectory = "/r"
        options.readyDescriptor = 9
        #expect(try Command(words(line)) == .serve(options))
        let attached =
            "serve --config=a.yaml --host=0.0.0.0,:: --host=localhost -p 80 --workers=3 --strict-config --env-file=e "
            + "--run-dir=/r --ready-fd=9"
        #expect(try Command(words(attached)) == .serve(options))
    }

    @Test func serveListensOnThisMachineOnlyUnlessTold() throws {
        guard case .serve(let options) = try Command(["serve", "--config", "a.yaml"]) else {
            Issue.record("not serve")
            return
        }
        #expect(options.hosts.isEmpty)
        #expect(options.port == 4000)
        #expect(options.workers == nil)
    }

    @Test(arguments: [
        ("serve -c a --workers auto", WorkerCount.automatic), ("serve -c a --workers=auto", .automatic),
        ("serve -c a --workers 128", .exactly(128)),
    ])
    func workersAreANumberOrAuto(_ line: String, _ count: WorkerCount) throws {
        guard case .serve(let options) = try Command(words(line)) else {
            Issue.record("not serve")
            return
        }
        #expect(options.workers == count)
    }

    @Test func explainTakesEveryOption() throws {
        var options = ExplainOptions()
        options.config = "a.yaml"
        options.model = "m"
        options.tags = ["free", "!eu", "paid"]
        options.headers = ["x-a:b", "user-agent:c"]
        options.path = "/v1/embeddings"
        options.keyFile = "k"
        options.isStream = true
        options.isJSON = true
        options.isStrict = true
        options.environmentFile = "e"
        let line =
            "explain -c a.yaml -m m --tags free,!eu -t paid --header x-a:b --header=user-agent:c --path /v1/embeddings "
            + "--key-file k --stream --json --strict-config --env-file e"
        #expect(try Command(words(line)) == .explain(options))
        var body = ExplainOptions()
        body.config = "a"
        body.body = "-"
        #expect(try Command(words("explain --config=a --body -")) == .explain(body))
        #expect(try Command(words("explain --help")) == .help(.explain))
    }

    @Test(arguments: [
        ("", "what should be done?"), ("explain", "explain needs --config FILE"),
        ("explain -c a", "explain needs --model NAME or --body FILE"), ("explain -c a b", "unexpected argument b"),
        ("explain -c a --body b --model c", "a --body has its own model, tags and stream"),
        ("explain -c a --body b --tags c", "a --body has its own model, tags and stream"),
        ("explain -c a --body - --key-file -", "standard input can be read once"),
        ("explain -c a --modle c", "unknown option --modle"), ("serv", "unknown command serv"),
        ("--config a", "a command comes first"),
        ("serve", "serve needs --config FILE"), ("serve --config", "--config needs a value"),
        ("serve --config=", "--config needs a value"), ("serve -c a --port 65536", "--port needs a whole number"),
        ("serve -c a --port -1", "--port needs a whole number"), ("serve -c a --port x", "--port needs a whole number"),
        ("serve -c a --ready-fd 2", "--ready-fd needs a whole number from 3 to 1023, not 2"),
        ("serve -c a --workers 0", "--workers needs a whole number"),
        ("serve -c a --workers 129", "--workers needs a whole number"),
        ("serve -c a --strict-config=yes", "--strict-config takes no value"),
        ("serve -c a --confg b", "unknown option --confg"), ("serve -c a b", "unexpected argument b"),
        ("check", "check needs a file"), ("check a b", "unexpected argument b"), ("ctl", "ctl needs an action"),
        ("ctl restart", "unknown action restart"), ("ctl status stop", "unexpected argument stop"),
        ("worker", "a worker is started by"), ("worker --parent 1 --slot x", "--slot needs a whole number"),
    ])
    func whatMakesNoSenseIsSaid(_ line: String, _ message: String) {
        do throws(UsageError) {
            let command = try Command(words(line))
            Issue.record("\(line) was taken for \(command)")
        } catch {
            #expect(error.message.hasPrefix(message))
        }
    }

    @Test(arguments: [
        ("serv -c a", "did you mean `tagway serve`?"), ("serve --confg a", "did you mean `--config`?"),
        ("serve -c a --num-workers 3", "did you mean `--num_workers`?"),
        ("ctl relaod", "did you mean `tagway ctl reload`?"), ("check --env_file a", "did you mean `--env-file`?"),
    ])
    func aNearMissIsNamed(_ line: String, _ hint: String) {
        #expect { try Command(words(line)) } throws: { ($0 as? UsageError)?.hint == hint }
    }

    @Test(arguments: [
        ("check a.yaml", CheckOptions(config: "a.yaml")),
        ("check --config a.yaml --strict-config", CheckOptions(config: "a.yaml", isStrict: true)),
        ("check a.yaml --env-file e", CheckOptions(config: "a.yaml", environmentFile: "e")),
        ("check --container a.yaml", CheckOptions(config: "a.yaml", saysGrace: true)),
    ])
    func checkTakesItsFileWithOrWithoutItsName(_ line: String, _ options: CheckOptions) throws {
        #expect(try Command(words(line)) == .check(options))
    }

    @Test func controlKnowsItsActions() throws {
        var options = ControlOptions()
        options.action = .reload
        options.waits = true
        options.isJSON = true
        options.port = 4001
        options.runDirectory = "/r"
        #expect(try Command(words("ctl reload --wait --json --port 4001 --run-dir /r")) == .control(options))
    }

    @Test func aWorkerIsToldItsPlace() throws {
        let arguments = WorkerMain.Arguments(parent: 7, slot: 1, incarnation: 2, block: 3, listeners: 4)
        #expect(
            try Command(words("worker --parent 7 --slot 1 --incarnation 2 --block 3 --listeners 4"))
                == .worker(arguments))
    }

    @Test(arguments: [
        ("--help", Help.Topic.general), ("help", .general), ("help serve", .serve), ("serve --help", .serve),
        ("ctl -h", .control), ("help ctl", .control), ("check --help", .check), ("help nonsense", .general),
    ])
    func helpIsThereForEveryCommand(_ line: String, _ topic: Help.Topic) throws {
        #expect(try Command(words(line)) == .help(topic))
        #expect(Help.text(topic).contains("usage: tagway"))
    }
}
