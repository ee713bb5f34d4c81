// Run Google's whole MultiPose graph, with its own decoder, on one picture.
//
//     node multipose_reference.mjs GRAPH.json WEIGHTS.bin PICTURE HEIGHT WIDTH
//
// PICTURE has HEIGHT x WIDTH RGB pixels of one byte per channel. Prints the output as JSON: six rows of 56 numbers, y, x
// and confidence of the 17 keypoints, the box (top, left, bottom, right) and the score; y and x are fractions.

import { readFileSync } from "node:fs";
import * as tf from "@tensorflow/tfjs-core";
import { loadGraphModel } from "@tensorflow/tfjs-converter";
import "@tensorflow/tfjs-backend-cpu";

const [graphFile, weightsFile, pictureFile, height, width] = process.argv.slice(2);
const graph = JSON.parse(readFileSync(graphFile, "utf8"));
const weights = readFileSync(weightsFile);

console.warn = () => {}; // the library advertises its faster backends
await tf.setBackend("cpu");
const model = await loadGraphModel({
  load: async () => ({
    modelTopology: graph.modelTopology,
    signature: graph.signature,
    weightSpecs: graph.weightsManifest[0].weights,
    weightData: weights.buffer.slice(weights.byteOffset, weights.byteOffset + weights.byteLength),
  }),
});
const pixels = Int32Array.from(readFileSync(pictureFile));
const picture = tf.tensor(pixels, [1, Number(height), Number(width), 3], "int32");
const people = await model.executeAsync(picture);
console.log(JSON.stringify((await people.array())[0]));
