const { parentPort, threadId, workerData } = require("worker_threads");

parentPort.on("message", (message) => {
  if (message === "end") {
    parentPort.close?.();
    process.exit(3);
  }
  parentPort.postMessage({ message, threadId, workerData });
});
