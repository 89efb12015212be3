/** What a run was set to, where each setting came from, and what it runs on; secrets masked. */
import { readFileSync } from "node:fs";
import { availableParallelism, hostname, totalmem } from "node:os";
import type { Sink } from "../runners/graph/sinks.js";
import type { Environment } from "../runners/job/job-view.js";
import { redact } from "../sql/redact.js";
import { type ConnectionConfig, SqlSession } from "../sql/sql-session.js";
import { settings } from "./config/settings.js";
import type { LoadedConfig } from "./config.js";

/** @throws the database's error when it does not take us */
export async function describeEnvironment(
  { config, origins }: LoadedConfig,
  version: string,
  connection: ConnectionConfig,
  sinks: readonly Sink[],
): Promise<Environment> {
  const values = config as unknown as Record<string, unknown>;
  const ofPipeline = [...settings.values()].filter(({ path }) => !path.includes("."));
  return {
    settings: ofPipeline.map(({ path, isSecret }) => ({
      name: path,
      value: values[path] !== undefined && isSecret ? "***" : shown(values[path]),
      origin: origins.get(path)?.name ?? "default",
    })),
    facts: [
      { name: "Millrace", value: version },
      { name: "Apache Beam SDK", value: beamVersion() },
      { name: "Node", value: process.version },
      { name: "PostgreSQL", value: await postgresVersion(connection) },
      { name: "host", value: hostname() },
      { name: "platform", value: `${process.platform} ${process.arch}` },
      { name: "cores", value: String(availableParallelism()) },
      { name: "memory", value: `${Math.round(totalmem() / 1_048_576)} MiB` },
      ...sinks.map(({ step, target, guarantee }) => ({
        name: `sink ${step}`,
        value: `${guarantee}, into ${target}`,
      })),
    ],
  };
}

function shown(value: unknown): string {
  if (value === undefined) return "";
  return redact(typeof value === "string" ? value : JSON.stringify(value));
}

function beamVersion(): string {
  const manifest = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(manifest) as { dependencies: Record<string, string> }).dependencies["apache-beam"]!;
}

async function postgresVersion(connection: ConnectionConfig): Promise<string> {
  const session = await SqlSession.connect({ connection, applicationName: "millrace/monitor" });
  try {
    const [row] = await session.query<{ server_version: string }>("show server_version");
    return row!.server_version;
  } finally {
    await session.close();
  }
}
