export interface Answer {
  value: number;
}
export const answer: Answer = { value: 42 };
export default class<T> {
  constructor(public readonly inner: T) {}
}
