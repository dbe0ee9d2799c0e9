//! The lifecycle scripts of packages.

use deno_npm_installer::lifecycle_scripts::LifecycleScriptsExecutor;
use deno_npm_installer::lifecycle_scripts::LifecycleScriptsExecutorOptions;

/// Runs `preinstall`, `install` and `postinstall` of the packages for which the user has allowed
/// it.
pub(super) struct LifecycleScripts;

#[async_trait::async_trait(?Send)]
impl LifecycleScriptsExecutor for LifecycleScripts {
    async fn execute(
        &self,
        options: LifecycleScriptsExecutorOptions<'_>,
    ) -> Result<(), anyhow::Error> {
        let bin = options.root_node_modules_dir_path.join(".bin");
        let mut path = vec![bin];
        if let Some(inherited) = std::env::var_os("PATH") {
            path.extend(std::env::split_paths(&inherited));
        }
        let path = std::env::join_paths(path)?;
        for package in options.packages_with_scripts {
            for name in ["preinstall", "install", "postinstall"] {
                let Some(script) = package.scripts.get(name) else {
                    continue;
                };
                let output = tokio::process::Command::new("sh")
                    .arg("-c")
                    .arg(script)
                    .current_dir(&package.package_folder)
                    .env("PATH", &path)
                    .env("INIT_CWD", options.init_cwd)
                    .env("npm_lifecycle_event", name)
                    .stdin(std::process::Stdio::null())
                    .output()
                    .await?;
                if !output.status.success() {
                    anyhow::bail!(
                        "The script \"{name}\" of {} failed ({}):\n{}{}",
                        package.package.id.nv,
                        output.status,
                        String::from_utf8_lossy(&output.stdout),
                        String::from_utf8_lossy(&output.stderr),
                    );
                }
            }
            (options.on_ran_pkg_scripts)(package.package)?;
        }
        Ok(())
    }
}
