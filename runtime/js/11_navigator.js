// `navigator`.

(function () {
  const { core, primordials } = __bootstrap;
  const {
    op_runtime_cpu_count,
    op_runtime_language,
    op_runtime_user_agent,
  } = core.ops;
  const {
    ObjectDefineProperty,
    ObjectFreeze,
    ObjectKeys,
    ObjectPrototypeIsPrototypeOf,
    StringPrototypeSlice,
    StringPrototypeToUpperCase,
    SymbolFor,
  } = primordials;
  const webidl = core.loadExtScript("ext:deno_webidl/00_webidl.js");

  // The same values as in browsers on the same system.
  function platform() {
    const { arch, os } = core.build;
    switch (os) {
      case "darwin":
        return "MacIntel";
      case "linux":
        return `Linux ${arch}`;
      case "windows":
        return "Win32";
      default:
        return `${StringPrototypeToUpperCase(os[0])}${
          StringPrototypeSlice(os, 1)
        } ${arch}`;
    }
  }

  const attributes = {
    __proto__: null,
    hardwareConcurrency: () => op_runtime_cpu_count(),
    userAgent: () => op_runtime_user_agent(),
    language: () => op_runtime_language(),
    languages: () => ObjectFreeze([op_runtime_language()]),
    platform,
  };
  const names = ObjectKeys(attributes);

  // Defines a class and its only object. `Navigator` and `WorkerNavigator` have
  // the same members here.
  function define(className) {
    const Navigator = {
      [className]: class {
        constructor() {
          webidl.illegalConstructor();
        }

        [SymbolFor("Deno.privateCustomInspect")](inspect, inspectOptions) {
          const { createFilteredInspectProxy } = core.loadExtScript(
            "ext:deno_web/01_console.js",
          );
          return inspect(
            createFilteredInspectProxy({
              object: this,
              evaluate: ObjectPrototypeIsPrototypeOf(NavigatorPrototype, this),
              keys: names,
            }),
            inspectOptions,
          );
        }
      },
    }[className];
    const NavigatorPrototype = Navigator.prototype;
    webidl.configureInterface(Navigator);

    // Each value is computed once.
    for (let i = 0; i < names.length; i++) {
      const name = names[i];
      let value;
      ObjectDefineProperty(NavigatorPrototype, name, {
        __proto__: null,
        get() {
          webidl.assertBranded(this, NavigatorPrototype);
          return value ??= attributes[name]();
        },
        enumerable: true,
        configurable: true,
      });
    }

    ObjectDefineProperty(NavigatorPrototype, "locks", {
      __proto__: null,
      get() {
        webidl.assertBranded(this, NavigatorPrototype);
        return loadLocks().locks;
      },
      enumerable: true,
      configurable: true,
    });
    return {
      [className]: Navigator,
      navigator: webidl.createBranded(Navigator),
    };
  }

  const loadLocks = () => core.loadExtScript("ext:deno_web/locks.js");

  const { Navigator, navigator } = define("Navigator");

  return {
    defineWorkerNavigator: () => define("WorkerNavigator"),
    Navigator,
    navigator,
  };
})();
