type Unused = {
  these: string;
  lines: number;
  vanish: boolean;
};

interface More extends Unused {
  more: string;
}

export function fail(why: string): never {
  const message: string = `failed: ${why}`;
  throw new Error(message);
}
