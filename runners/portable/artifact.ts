/** What a job server stages for workers: a description, and the bytes that it stands for. */
// Loads the SDK's index, before which its messages cannot be loaded.
import "../../transforms/primitives/beam.js";
import path from "node:path";
import { ArtifactFilePayload, ArtifactInformation } from "apache-beam/proto/beam_runner_api";
import { encodeModuleRole, MODULE_FILE_ROLE, MODULE_ROLE } from "../harness/worker/module-role.js";
import type { ModuleFile } from "./modules/module-files.js";

export interface Artifact {
  readonly information: ArtifactInformation;
  readonly data: Uint8Array;
}

const FILE_TYPE = "beam:artifact:type:file:v1";

/**
 * Its type is a file by a name and hash, not by a path of this machine: Prism keeps the artifacts of all jobs by their
 * types, Java's servers make file names of the path.
 */
export function moduleArtifact(file: ModuleFile): Artifact {
  const { module, sha256, isImported, data } = file;
  const information = ArtifactInformation.create({
    typeUrn: FILE_TYPE,
    typePayload: ArtifactFilePayload.toBinary({ path: path.posix.basename(module), sha256 }),
    roleUrn: isImported ? MODULE_ROLE : MODULE_FILE_ROLE,
    rolePayload: encodeModuleRole(file),
  });
  return { information, data };
}
