"""Score a model on labelled images."""

from pipeline import arguments as a
from pipeline import options
from pipeline.commands.config import Config
from pipeline.commands.recipe import recipe_of
from pipeline.commands.screen import output, progress


def accuracy(
    subject: a.Subject,
    data: a.ImageData,
    target: a.TargetName = "host",
    images: a.ImageCount = None,
    threads: a.ThreadCount = 1,
    json_file: a.AccuracyJson = None,
    input_size: a.Size = "224x224",
    batch: a.Batch = 1,
    weights: a.Weights = None,
    classes: a.Classes = 1000,
    seed: a.Seed = 0,
    logs: a.Logs = None,
    config: Config = None,
) -> None:
    """Say how often a network is right, in PyTorch and compiled, and how often they agree.

    DIR has a folder of images for each class, in the order of the network's outputs. Images are
    scaled to 8/7 of the input, cut in the middle, and normalised as for ImageNet.

    \b
    shufflenet-tvm accuracy shufflenet-1.0x-g3 --weights mine.safetensors --data imagenet/val
    shufflenet-tvm accuracy bundle --weights mine.safetensors --data photos --images 1000
    """
    recipe = recipe_of(subject, target, logs, (input_size, batch, classes), weights, seed)
    count, path = options.image_count(images), options.result_file(json_file)
    (workers,) = options.thread_counts(str(threads))
    options.require_package("PIL", "accuracy")
    from pipeline.accuracy.image_folder import read_image_folder
    from pipeline.accuracy.run import accuracy as score
    from pipeline.accuracy.table import accuracy_rows
    from pipeline.progress import Steps
    from pipeline.result_files import write_results
    from pipeline.rows import rich_table

    folder = read_image_folder(data)
    with Steps(progress) as steps:
        scored = score(recipe, folder, count, workers, steps)
    if path is not None:
        write_results(scored, path)
    output.print(rich_table(accuracy_rows(scored)))
    output.print(
        f"first answers agree on {scored.agreement:.2%} of {scored.images} images; logits differ"
        f" by {scored.max_relative_error:.0e}",
        highlight=False,
    )
