// exit: 1
// stderr: error: Uncaught SyntaxError: The requested module [*] does not provide an export named 'nothing'[*]
import { nothing } from "../_assert.js";
nothing();
