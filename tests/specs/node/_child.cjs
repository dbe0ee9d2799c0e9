process.on("message", (message) => {
  process.send({ echo: message });
  process.disconnect();
});
