internal import CLinux
internal import Glibc

/// The way back to the image that this process ran before it was replaced: an executable that is still open, whatever
/// has become of its file.
public enum WayBack {
    /// From now on a trap or a crash of this process makes it that image, in the same process: its children stay its
    /// children, descriptors that are inheritable stay open. signal-safety(7): all memory that takes is written here.
    public static func arm(_ executable: DescriptorBox, arguments: [String], environment: [String: String]) {
        let variables = environment.map { "\($0.key)=\($0.value)" }
        unsafe clinux_take_crashes(executable.number, lastingCStrings(arguments), lastingCStrings(variables))
    }

    /// A crash is a crash again.
    public static func disarm() {
        clinux_take_crashes(-1, nil, nil)
    }

    /// Goes back now; only returns when that failed.
    public static func take(
        _ executable: Int32, arguments: [String], environment: [String: String]
    ) -> SystemError {
        let variables = environment.map { "\($0.key)=\($0.value)" }
        unsafe clinux_exec_descriptor(executable, lastingCStrings(arguments), lastingCStrings(variables))
        return .last("execveat")
    }

    /// A null-terminated array as exec(3) wants it, that is never freed.
    private static func lastingCStrings(_ texts: [String]) -> UnsafeMutablePointer<UnsafeMutablePointer<CChar>?> {
        let array = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.allocate(capacity: texts.count + 1)
        for (index, text) in texts.enumerated() { unsafe array[index] = strdup(text) }
        unsafe array[texts.count] = nil
        return unsafe array
    }
}
