const line: string = "first line";
console.log(line);
