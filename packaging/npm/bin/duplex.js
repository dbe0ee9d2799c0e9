#!/usr/bin/env node
// Starts the binary of duplex, which the package of this platform carries.
"use strict";

const { spawn } = require("node:child_process");
const { constants } = require("node:os");

const { optionalDependencies } = require("../package.json");

function findBinary() {
  const name = `@duplex-rs/${process.platform}-${process.arch}`;
  const names = Object.keys(optionalDependencies);
  if (!names.includes(name)) {
    throw new Error(`there is no package ${name}. These exist: ${names.join(", ")}`);
  }
  try {
    return require.resolve(`${name}/bin/duplex`);
  } catch {
    throw new Error(
      `the package ${name} is not installed. It is an optional dependency of @duplex-rs/duplex: ` +
        "install without --omit=optional and --no-optional, and on the platform that runs it",
    );
  }
}

function start(binary, args) {
  // The binary takes the place of this process: signals and exit codes are its own.
  if (process.execve) {
    process.execve(binary, [binary, ...args], process.env);
  }
  // Older versions of Node.js cannot do that.
  const child = spawn(binary, args, { stdio: "inherit" });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2"]) {
    process.on(signal, () => child.kill(signal));
  }
  child.on("error", fail);
  child.on("exit", (code, signal) => {
    process.exit(signal === null ? code : 128 + constants.signals[signal]);
  });
}

function fail(error) {
  console.error(`error: ${error.message}`);
  process.exit(1);
}

try {
  start(findBinary(), process.argv.slice(2));
} catch (error) {
  fail(error);
}
