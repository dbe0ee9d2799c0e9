export const answer: number = 43;
