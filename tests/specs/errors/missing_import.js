// exit: 1
// stderr: error: Module not found "file:///[*]/errors/_no_such_file.js".
// stderr:     at file:///[*]/errors/missing_import.js:4:8
import "./_no_such_file.js";
