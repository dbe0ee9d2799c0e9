// exit: 1
// stdout: started
setTimeout(() => {
  throw new RangeError("later");
}, 1);
console.log("started");
