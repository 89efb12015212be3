/**
 * A job's workers end with it. Spark and Flink leave a worker alone whose bundle is under way when its job is
 * cancelled, until that bundle ends by itself; so whoever has cancelled the job tells the pool.
 */
import { beamFnExternalWorkerPoolDefinition, CALL_MS_MAX, connectTo, Metadata } from "./worker-grpc.js";

/** The pipeline option by which a worker knows its job. */
export const JOB_OPTION = "beam:option:millrace_job:v1";

/** Metadata of a StopWorker that means all workers of a job. */
export const JOB_METADATA = "millrace-job";

/** Resolves when they have ended. @throws when the pool cannot be reached */
export async function stopWorkersOf(job: string, poolEndpoint: string): Promise<void> {
  const client = connectTo(poolEndpoint);
  const metadata = new Metadata();
  metadata.set(JOB_METADATA, job);
  const { path, requestSerialize, responseDeserialize } = beamFnExternalWorkerPoolDefinition.stopWorker;
  try {
    await new Promise<void>((resolve, reject) => {
      client.makeUnaryRequest(
        path,
        requestSerialize as (request: { workerId: string }) => Buffer,
        responseDeserialize,
        { workerId: "" },
        metadata,
        { deadline: Date.now() + CALL_MS_MAX },
        (error) => (error === null ? resolve() : reject(error)),
      );
    });
  } finally {
    client.close();
  }
}
