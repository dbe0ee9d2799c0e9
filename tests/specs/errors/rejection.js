// exit: 1
// stderr: error: Uncaught (in promise) Error: nobody catches this[*]rejection.js:5:16[*]
// A rejection without a handler ends the script.
setTimeout(() => console.log("never"), 5000);
Promise.reject(new Error("nobody catches this"));
