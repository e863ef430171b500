//! Makes one nearest resize of tiles that repeat rows and columns. Keras' `UpSampling2D` arrives as RESHAPE and TILE in pairs, once for the rows and once for the
//! columns; a resize needs no image between the two, and a plan by rows can make it row by row.

use super::uses::Uses;
use crate::net::{Constant, Element, Net, Operator, Tensor, TensorId, View, check_shapes, movement};

/// Rewrites each node whose output is an earlier image with every row and every column repeated so many times. The last node is looked at first, so that tiles
/// behind each other become one resize.
pub(super) fn apply(net: &mut Net) {
    let uses = Uses::of(net);
    for position in (0..net.nodes.len()).rev() {
        let Some((image, size)) = repeated_image(net, &uses, position) else { continue };
        let bytes = size.iter().flat_map(|size| size.to_le_bytes()).collect();
        let name = format!("{} (size)", net.nodes[position].name);
        net.tensors.push(Tensor::new(name, Element::I32, vec![2], Some(Constant::new(bytes))));
        let size = net.tensors.len() - 1;
        let node = &mut net.nodes[position];
        // Half pixel centres find the repeated row for every factor; without them, rounding in f32 misses some.
        node.operator = Operator::ResizeNearest { align_corners: false, half_pixel_centers: true };
        node.name = "RESIZE_NEAREST_NEIGHBOR".into();
        node.inputs = vec![Some(image), Some(size)];
    }
}

/// The earliest image that the output of a node repeats by nothing but reshapes and tiles, and the output's height and width.
fn repeated_image(net: &Net, uses: &Uses, position: usize) -> Option<(TensorId, [i32; 2])> {
    let &[output] = &net.nodes[position].outputs[..] else { return None };
    let &[batch, height, width, channels] = &net.tensors[output].shape[..] else { return None };
    let (mut at, mut tiles, mut image) = (output, Vec::new(), None);
    while let Some(writer) = uses.writers[at] {
        let node = &net.nodes[writer];
        let view = View { net, node };
        match node.operator {
            Operator::Reshape | Operator::ExpandDims => {}
            Operator::Tile => tiles.push(writer),
            _ => break,
        }
        // A wrong node must still be seen as such, and one that changes the scale does more than repeat.
        check_shapes(&view).ok()?;
        at = view.optional_input(0)?;
        let (from, to) = (&net.tensors[at], &net.tensors[output]);
        if (from.element, &from.quantisation) != (to.element, &to.quantisation) {
            return None;
        }
        if let &[of_batch, rows, columns, of_channels] = &from.shape[..]
            && (of_batch, of_channels) == (batch, channels)
            && height.is_multiple_of(rows)
            && width.is_multiple_of(columns)
            && !tiles.is_empty()
        {
            image = Some((at, [height / rows, width / columns], tiles.len()));
        }
    }
    let (image, repeats, count) = image?;
    repeats_all(net, image, &tiles[..count], [batch, height, width, channels], repeats)
        .then_some((image, [i32::try_from(height).ok()?, i32::try_from(width).ok()?]))
}

/// Whether tiles, the last of them first, give each row and each column of an image so many times in a row, and not the image behind itself.
fn repeats_all(net: &Net, image: TensorId, tiles: &[usize], shape: [usize; 4], repeats: [usize; 2]) -> bool {
    let Some(length) = net.tensors[image].shape.iter().try_fold(1_usize, |all, &length| all.checked_mul(length)) else {
        return false;
    };
    let mut elements: Vec<usize> = (0..length).collect();
    for &tile in tiles.iter().rev() {
        let Ok(movement) = movement(&View { net, node: &net.nodes[tile] }) else { return false };
        let mut tiled = vec![0; movement.shapes.iter().flatten().product()];
        for part in &movement.moves {
            part.for_each(|from, to| tiled[to] = elements[from]);
        }
        elements = tiled;
    }
    let [_, height, width, channels] = shape;
    let [rows, columns] = [height / repeats[0], width / repeats[1]];
    elements.iter().enumerate().all(|(index, &element)| {
        let (channel, column) = (index % channels, index / channels % width);
        let (row, batch) = (index / (channels * width) % height, index / (channels * width * height));
        element == ((batch * rows + row / repeats[0]) * columns + column / repeats[1]) * channels + channel
    })
}

#[cfg(test)]
mod tests {
    use super::apply;
    use crate::net::{Constant, Element, Net, Node, Operator, RemovedChannels, Tensor};

    /// A net whose image of 2 rows, 3 columns and 4 channels goes through tiles, each with the shape in front of it and its repeats, and then has this shape.
    fn net(tiles: &[(&[usize], &[i32])], last: [usize; 4]) -> Net {
        let real = |shape: &[usize]| Tensor::new("image".into(), Element::F32, shape.into(), None);
        let integers = |values: &[i32]| {
            let data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            Tensor::new("values".into(), Element::I32, vec![values.len()], Some(Constant::new(data)))
        };
        let mut net = Net {
            inputs: vec![0],
            outputs: Vec::new(),
            nodes: Vec::new(),
            tensors: vec![real(&[1, 2, 3, 4])],
            removed: RemovedChannels::default(),
        };
        let mut add = |operator: Operator, values: Vec<i32>, shape: &[usize], input: usize| {
            net.tensors.extend([integers(&values), real(shape)]);
            let output = net.tensors.len() - 1;
            let inputs = vec![Some(input), Some(output - 1)];
            net.nodes.push(Node {
                index: net.nodes.len(),
                name: "NODE".into(),
                operator,
                inputs,
                outputs: vec![output],
            });
            output
        };
        let signed = |shape: &[usize]| shape.iter().map(|&length| length as i32).collect();
        let mut at = 0;
        for (shape, repeats) in tiles {
            at = add(Operator::Reshape, signed(shape), shape, at);
            let tiled: Vec<usize> =
                shape.iter().zip(*repeats).map(|(&length, &count)| length * count as usize).collect();
            at = add(Operator::Tile, repeats.to_vec(), &tiled, at);
        }
        let output = add(Operator::Reshape, signed(&last), &last, at);
        net.outputs = vec![output];
        net
    }

    /// The operator that writes the output, and the tensor that it reads.
    fn writer(mut net: Net) -> (Operator, Option<usize>) {
        apply(&mut net);
        let node = net.nodes.last().expect("nets of the tests have nodes");
        (node.operator.clone(), node.inputs[0])
    }

    #[test]
    fn repeated_rows_and_columns_are_one_resize() {
        let resize = (Operator::ResizeNearest { align_corners: false, half_pixel_centers: true }, Some(0));
        let rows: (&[usize], &[i32]) = (&[1, 2, 1, 3, 4], &[1, 1, 2, 1, 1]);
        let columns: (&[usize], &[i32]) = (&[1, 4, 3, 1, 4], &[1, 1, 1, 3, 1]);
        assert_eq!(writer(net(&[rows, columns], [1, 4, 9, 4])), resize);
        assert_eq!(writer(net(&[rows], [1, 4, 3, 4])), resize);
        assert_eq!(writer(net(&[(&[1, 2, 1, 3, 1, 4], &[1, 1, 2, 1, 3, 1])], [1, 4, 9, 4])), resize);
    }

    #[test]
    fn images_behind_themselves_stay_tiles() {
        let behind: [(&[usize], &[i32]); 3] =
            [(&[1, 2, 3, 4], &[1, 2, 1, 1]), (&[1, 2, 3, 4], &[1, 1, 2, 1]), (&[1, 1, 2, 3, 4], &[1, 2, 1, 1, 1])];
        for (tile, last) in behind.into_iter().zip([[1, 4, 3, 4], [1, 2, 6, 4], [1, 4, 3, 4]]) {
            assert_eq!(writer(net(&[tile], last)).0, Operator::Reshape);
        }
    }
}
