interface Message {
  sum: number;
}
self.onmessage = (event: MessageEvent<number[]>) => {
  const message: Message = { sum: event.data.reduce((a, b) => a + b) };
  self.postMessage(message);
};
