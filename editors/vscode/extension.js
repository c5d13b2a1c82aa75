// Starts `locus lsp` and shows what it says. Everything about the language is the server's.

"use strict";

const { execFile } = require("child_process");
const vscode = require("vscode");
const { LanguageClient, TransportKind } = require("vscode-languageclient/node");

let client;

async function start() {
  const command = vscode.workspace.getConfiguration("locus").get("path") || "locus";
  const run = { command, args: ["lsp"], transport: TransportKind.stdio };
  const watcher = vscode.workspace.createFileSystemWatcher("**/*.exp");
  client = new LanguageClient(
    "locus",
    "Locus",
    { run, debug: run },
    {
      documentSelector: [
        { scheme: "file", language: "exp" },
        { scheme: "untitled", language: "exp" },
      ],
      synchronize: { fileEvents: watcher },
    },
  );
  try {
    await client.start();
  } catch (error) {
    client = undefined;
    const choice = await vscode.window.showErrorMessage(
      `\`${command} lsp\` does not start: ${error.message}. The setting locus.path names the command.`,
      "Open Settings",
    );
    if (choice) {
      await vscode.commands.executeCommand("workbench.action.openSettings", "locus.path");
    }
  }
}

async function stop() {
  const old = client;
  client = undefined;
  if (old) {
    await old.stop();
  }
}

// The page is the command's own, shown beside the program.
async function explain() {
  const code = (await vscode.window.showInputBox({ prompt: "A code such as E012" }))?.trim();
  if (!code) {
    return;
  }
  const command = vscode.workspace.getConfiguration("locus").get("path") || "locus";
  execFile(command, ["explain", code], async (error, page, complaint) => {
    if (error) {
      vscode.window.showErrorMessage(complaint.trim() || error.message);
      return;
    }
    const document = await vscode.workspace.openTextDocument({ language: "markdown", content: page });
    await vscode.window.showTextDocument(document, { preview: true, viewColumn: vscode.ViewColumn.Beside });
  });
}

async function activate(context) {
  context.subscriptions.push(
    vscode.commands.registerCommand("locus.restart", async () => {
      await stop();
      await start();
    }),
    vscode.commands.registerCommand("locus.explain", explain),
  );
  await start();
}

module.exports = { activate, deactivate: stop };
