import Foundation
import Shared

/// The loads of one run, side by side, and what comes of them.
@Loop final class LoadRun {
    /// What happens to one kind of load.
    private struct Tally {
        var load = LoadReport.Load()
        var phases = [LatencyHistogram()]

        mutating func answered(from due: Instant, in phase: Int) {
            load.answered += 1
            phases[phase].add(microseconds: Int((Clock.now() - due).nanoseconds / 1000))
        }

        var report: LoadReport.Load {
            var report = load
            report.phases = phases.map { histogram in
                LoadReport.Phase(
                    answered: histogram.count, p50: histogram.percentile(0.5), p99: histogram.percentile(0.99),
                    p999: histogram.percentile(0.999), largest: histogram.largest)
            }
            return report
        }
    }

    private let options: LoadOptions
    private let signals: SignalBox
    private var begun = Clock.now()
    private var end = Instant.never
    private var kept = Tally()
    private var fresh = Tally()
    private var streams = Tally()
    private var phase = 0
    private var nextKept = 0
    private var nextStream = 0
    /// Requests and connections under way; the run is over when there are none.
    private var left = 0
    private let done = Waiter()

    init(_ options: LoadOptions, _ signals: SignalBox) {
        self.options = options
        self.signals = signals
    }

    func run() async {
        EventLoop.shared.start { await self.signals.listen { self.heard($0) } }
        var connections: [LoadConnection?] = []
        if options.rate > 0 {
            for _ in 0..<options.kept { connections.append(await connectFirst()) }
        }
        begun = Clock.now()
        end = min(end, begun + .seconds(options.seconds))
        StandardStream.output.write("begun\n")
        for connection in connections { start { await self.keepAsking(connection) } }
        if options.fresh > 0 { start { await self.askAnew() } }
        for number in 0..<options.streams { start { await self.follow(number) } }
        if left > 0 { _ = await done.wait(until: .never) }
        report()
    }

    private func heard(_ signal: Signal) {
        if signal == .terminate {
            end = Clock.now()
        } else {
            phase += 1
            kept.phases.append(LatencyHistogram())
            fresh.phases.append(LatencyHistogram())
            streams.phases.append(LatencyHistogram())
        }
    }

    private func start(_ body: @escaping @Loop () async -> Void) {
        left += 1
        EventLoop.shared.start {
            await body()
            self.left -= 1
            if self.left == 0 { self.done.wake(.ready) }
        }
    }

    /// When number `index` of a load is due.
    private func due(_ index: Int, rate: Int) -> Instant {
        begun + TimeSpan(nanoseconds: Int64(index) * 1_000_000_000 / Int64(rate))
    }

    private func fail(_ tally: inout Tally, _ id: String, _ kind: String, on connection: LoadConnection?) {
        let now = Clock.now()
        tally.load.failures.append(
            LoadReport.Failure(
                id: id, kind: kind, atMilliseconds: (now - begun).milliseconds,
                unixMilliseconds: Int(Clock.unixMilliseconds()),
                sentFor: connection?.sentAt.map { (now - $0).milliseconds },
                isReused: (connection?.requests ?? 0) > 1))
    }

    private func request(_ id: String, _ model: String, more: String = "") -> [UInt8] {
        let body = #"{"model":"\#(model)","messages":[{"role":"user","content":"hello"}]\#(more)}"#
        return Array(
            ("POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer \(options.key)\r\n"
                + "x-litellm-call-id: \(id)\r\ncontent-type: application/json\r\n"
                + "content-length: \(body.utf8.count)\r\n\r\n\(body)").utf8)
    }

    // MARK: Kept-alive connections

    private func connectFirst() async -> LoadConnection? {
        kept.load.connects += 1
        return try? await LoadConnection(options)
    }

    /// One client: takes the next request whenever it is free.
    private func keepAsking(_ first: LoadConnection?) async {
        var connection = first
        while true {
            let (number, due) = (nextKept, due(nextKept, rate: options.rate))
            guard due < end else { break }
            nextKept += 1
            if due > Clock.now() { await EventLoop.shared.sleep(until: due) }
            guard Clock.now() < end else { break }
            if connection?.isGone == true {
                connection?.close()
                connection = nil
                kept.load.closedIdle += 1
            }
            connection = await ask("k-\(number)", due, on: connection)
        }
        connection?.close()
    }

    /// Answers the connection if it can serve another request.
    private func ask(_ id: String, _ due: Instant, on old: LoadConnection?) async -> LoadConnection? {
        let phase = phase
        kept.load.sent += 1
        var connection = old
        do throws(LoadConnection.Failure) {
            if connection == nil {
                kept.load.connects += 1
                connection = try await LoadConnection(options)
            }
            guard let connection else { return nil }
            let answer = try await connection.exchange(request(id, "quick"), id: Array(id.utf8)) { _ in }
            if let problem = problem(answer) {
                fail(&kept, id, problem, on: connection)
            } else {
                kept.answered(from: due, in: phase)
            }
            if answer.closes {
                kept.load.closedAnnounced += 1
            } else if options.turnover == 0 || .random(in: 0..<1000) >= options.turnover {
                return connection
            }
        } catch {
            fail(&kept, id, error.kind, on: connection)
        }
        connection?.close()
        return nil
    }

    private func problem(_ answer: LoadConnection.Answer) -> String? {
        if answer.status != 200 { return "status-\(answer.status)" }
        return answer.isOurs ? nil : "crossed"
    }

    // MARK: New connections

    /// Begins each request when it is due, however many are under way.
    private func askAnew() async {
        var number = 0
        while true {
            let due = due(number, rate: options.fresh)
            guard due < end else { return }
            if due > Clock.now() { await EventLoop.shared.sleep(until: due) }
            guard Clock.now() < end else { return }
            let id = "n-\(number)"
            number += 1
            start { await self.askOnce(id, due) }
        }
    }

    private func askOnce(_ id: String, _ due: Instant) async {
        let phase = phase
        fresh.load.sent += 1
        var made: LoadConnection?
        defer { made?.close() }
        do throws(LoadConnection.Failure) {
            fresh.load.connects += 1
            let connection = try await LoadConnection(options)
            made = connection
            let answer = try await connection.exchange(request(id, "quick"), id: Array(id.utf8)) { _ in }
            if let problem = problem(answer) {
                fail(&fresh, id, problem, on: connection)
            } else {
                fresh.answered(from: due, in: phase)
            }
        } catch {
            fail(&fresh, id, error.kind, on: made)
        }
    }

    // MARK: Streams

    private func follow(_ number: Int) async {
        // One after the other, so that their ends do not fall together.
        await EventLoop.shared.sleep(until: begun + .milliseconds(number * 20))
        while Clock.now() < end {
            let id = "s-\(nextStream)"
            nextStream += 1
            // A gateway that refuses is not asked a thousand times a second.
            if await followOnce(id) == 0 { await EventLoop.shared.sleep(until: Clock.now() + .milliseconds(100)) }
        }
    }

    /// How many events came.
    private func followOnce(_ id: String) async -> Int {
        let (phase, asked) = (phase, Clock.now())
        streams.load.sent += 1
        var events = EventNumbers()
        var made: LoadConnection?
        defer { made?.close() }
        do throws(LoadConnection.Failure) {
            streams.load.connects += 1
            let connection = try await LoadConnection(options)
            made = connection
            let answer = try await connection.exchange(
                request(id, "slow", more: #","stream":true"#), id: Array(id.utf8), isStream: true
            ) { events.take($0) }
            if let problem = problem(answer) ?? events.problem {
                fail(&streams, id, problem, on: connection)
            } else {
                streams.answered(from: asked, in: phase)
            }
        } catch {
            // What the gateway said before it closed tells more than the close.
            fail(&streams, id, events.wasTold ? "error-event" : error.kind, on: made)
        }
        streams.load.events += events.next
        return events.next
    }

    // MARK: Report

    private func report() {
        var report = LoadReport()
        report.milliseconds = (Clock.now() - begun).milliseconds
        report.kept = kept.report
        report.fresh = fresh.report
        report.streams = streams.report
        let bytes = (try? JSONEncoder().encode(report)).map { Array($0) } ?? []
        StandardStream.output.write(bytes, 0..<bytes.count)
        StandardStream.output.write("\n")
    }
}
